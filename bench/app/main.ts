import { startEchoApp } from './echo-app.ts';
import { startGrpcApp } from './grpc-app.ts';
import { startHttpApp } from './http-app.ts';
import { startIdentityApp } from './identity-app.ts';

const apps = { http: startHttpApp, grpc: startGrpcApp, echo: startEchoApp, identity: startIdentityApp } as const;

/** node app/main.ts http|grpc|echo|identity PORT */
const [kind, port] = process.argv.slice(2);
await apps[kind as keyof typeof apps](Number(port));
