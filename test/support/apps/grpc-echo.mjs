// An unmodified gRPC app: echo.Echo/Talk on GRPC_PORT sends each message of a stream back, as bytes.
import { Server, ServerCredentials } from '@grpc/grpc-js';

const asIs = (bytes) => bytes;
const server = new Server({ 'grpc.max_concurrent_streams': 1_000 });
server.addService(
  {
    Talk: {
      path: '/echo.Echo/Talk',
      requestStream: true,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    },
  },
  {
    Talk(call) {
      call.on('data', (message) => call.write(message));
      call.on('end', () => call.end());
      call.on('error', () => undefined);
    },
  },
);
server.bindAsync(`127.0.0.1:${process.env.GRPC_PORT}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});

process.on('SIGTERM', () => process.exit(0));
