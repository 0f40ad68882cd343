import { eastwest } from './subjects/eastwest.ts';
import { envoy, envoyHttp1 } from './subjects/envoy.ts';
import { haproxy } from './subjects/haproxy.ts';
import { nginx } from './subjects/nginx.ts';
import type { Subject } from './subjects/subject.ts';

/** In the order in which they are measured and shown. */
export const subjects: readonly Subject[] = [eastwest, envoy, envoyHttp1, nginx, haproxy];
