import fc from 'fast-check';
import { expect, test } from 'vitest';
import { grpcDetails } from '#agent/http/h2/grpc-details.ts';
import { ourDetails, readStatusDetails } from '#support/interop/status-details.ts';

test('are these bytes, in base64 without padding', () => {
  const expected = [
    '0807', // code 7
    `1202${Buffer.from('No').toString('hex')}`,
    `1a4d 0a28${Buffer.from('type.googleapis.com/google.rpc.ErrorInfo').toString('hex')}`,
    `1221 0a11${Buffer.from('PERMISSION_DENIED').toString('hex')} 120c${Buffer.from('eastwest.dev').toString('hex')}`,
    `1a33 0a2a${Buffer.from('type.googleapis.com/google.rpc.RequestInfo').toString('hex')}`,
    `1205 0a03${Buffer.from('d-7').toString('hex')}`,
  ];
  const said = grpcDetails({ code: 7, message: 'No', decisionId: 'd-7' });
  expect(said).not.toContain('=');
  expect(Buffer.from(said, 'base64').toString('hex')).toBe(expected.join('').replaceAll(' ', ''));
});

test.each([
  [3, 'INVALID_ARGUMENT'],
  [4, 'DEADLINE_EXCEEDED'],
  [7, 'PERMISSION_DENIED'],
  [8, 'RESOURCE_EXHAUSTED'],
  [12, 'UNIMPLEMENTED'],
  [13, 'INTERNAL'],
  [14, 'UNAVAILABLE'],
  [16, 'UNAUTHENTICATED'],
])('of status %d say %s, the decision and nothing more (A61)', (code, name) => {
  const said = readStatusDetails(Buffer.from(grpcDetails({ code, message: 'No', decisionId: 'd-7' }), 'base64'));
  expect(said).toEqual({ code, message: 'No', details: ourDetails(name, 'd-7') });
});

test('are read by a library as they were written, however long the text', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 400 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 16 }),
      text,
      fc.stringMatching(/^[\w-]{1,200}$/),
      (code, message, decisionId) => {
        const said = readStatusDetails(Buffer.from(grpcDetails({ code, message, decisionId }), 'base64'));
        expect(said).toMatchObject({ code, message, details: { RequestInfo: { requestId: decisionId } } });
      },
    ),
  );
});
