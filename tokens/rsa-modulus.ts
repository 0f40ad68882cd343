const smallPrimes = [
  ...[3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109],
  ...[113, 127, 131, 137, 139, 149, 151, 157, 163, 167],
];

const rocaGenerator = 65_537;

/** For each prime the remainders that powers of the generator leave. */
const rocaRemainders = smallPrimes.map((prime) => {
  const remainders = new Set<number>();
  for (let power = 1; !remainders.has(power); power = (power * (rocaGenerator % prime)) % prime) remainders.add(power);
  return { prime: BigInt(prime), remainders };
});

/**
 * Whether a modulus (big-endian) has the mark of ROCA (CVE-2017-15361): its remainders by all small primes are powers of 65537.
 * Such keys can be factored. One modulus in 2^150 has the mark by chance.
 */
export function hasRocaMark(modulus: Buffer): boolean {
  const number = BigInt(`0x${modulus.toString('hex')}`);
  return rocaRemainders.every(({ prime, remainders }) => remainders.has(Number(number % prime)));
}

/** Number of bits of a modulus without leading zero bytes. */
export function bitLength(modulus: Buffer): number {
  const [first = 0] = modulus;
  return modulus.length * 8 - (Math.clz32(first) - 24);
}
