import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { PostModule } from './post.module.js';

await NestFactory.createApplicationContext(PostModule, { logger: ['error', 'warn'] });
console.log('following imigrasi.cegah');
