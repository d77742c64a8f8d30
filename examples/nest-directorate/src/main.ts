import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { DirectorateModule } from './directorate.module.js';

await NestFactory.createApplicationContext(DirectorateModule, { logger: ['error', 'warn'] });
console.log('following imigrasi.cegah straight from Kafka');
