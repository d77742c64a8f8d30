import { EventPattern, Payload } from '@nestjs/microservices';

/** Marks the one method that handles batches of an event type. It gets the batch and, with `@Ctx()`, a SimpulContext. */
export const OnEvent = (type: string): MethodDecorator => EventPattern(type) as MethodDecorator;

/** The batch, as a parameter decorator beside `@Ctx()`. */
export const Batch = (): ParameterDecorator => Payload();
