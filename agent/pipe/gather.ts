import { giveSlab, largeBytes, takeSlab } from './slabs.ts';

/** What a pipe was given since it last sent: text alone stays text, anything else is copied into slabs. */
export class Gather {
  /** Bytes. */
  length = 0;
  /** The memory of what `next` answered last, to be given back once it is written; undefined for text. */
  lent: Buffer | undefined;
  #text = '';
  #slab: Buffer | undefined;
  #end = 0;
  /** Slabs that are full, before `#slab`; there are some only while the socket takes nothing. */
  #full: Buffer[] | undefined;

  addText(text: string): void {
    this.length += text.length;
    if (this.#slab === undefined) this.#text += text;
    else this.#copyText(text);
  }

  addBytes(bytes: Buffer): void {
    this.length += bytes.length;
    let from = 0;
    while (from < bytes.length) {
      const slab = this.#room(bytes.length - from);
      const copied = bytes.copy(slab, this.#end, from);
      this.#end += copied;
      from += copied;
    }
  }

  /** Takes out the first of what waits, as one write. */
  next(): string | Buffer {
    const first = this.#full?.shift();
    if (first !== undefined) {
      this.length -= first.length;
      this.lent = first;
      return first;
    }
    this.length = 0;
    const slab = this.#slab;
    this.lent = slab;
    if (slab === undefined) {
      const text = this.#text;
      this.#text = '';
      return text;
    }
    this.#slab = undefined;
    return slab.subarray(0, this.#end);
  }

  /** Gives back what `next` lent: it is written. */
  returnLent(): void {
    if (this.lent !== undefined) giveSlab(this.lent);
    this.lent = undefined;
  }

  /** Forgets all that waits. What is lent may still be read by the socket: it is left to the garbage collector. */
  clear(): void {
    this.length = 0;
    this.lent = undefined;
    this.#text = '';
    this.#slab = undefined;
    this.#full = undefined;
  }

  #copyText(text: string): void {
    let from = 0;
    while (from < text.length) {
      const slab = this.#room(text.length - from);
      const copied = slab.write(from === 0 ? text : text.slice(from), this.#end, 'latin1');
      this.#end += copied;
      from += copied;
    }
  }

  /** A slab with room for something, if possible for `bytes`. */
  #room(bytes: number): Buffer {
    const slab = this.#slab;
    if (slab === undefined) return this.#begin(bytes);
    if (this.#end + bytes <= slab.length) return slab;
    if (slab.length < largeBytes) return this.#grow(slab);
    if (this.#end < slab.length) return slab;
    (this.#full ??= []).push(slab);
    this.#slab = takeSlab(bytes);
    this.#end = 0;
    return this.#slab;
  }

  #begin(bytes: number): Buffer {
    const text = this.#text;
    const slab = takeSlab(text.length + bytes);
    this.#slab = slab;
    this.#end = 0;
    if (text === '') return slab;
    this.#text = '';
    this.#copyText(text);
    return this.#room(bytes);
  }

  #grow(slab: Buffer): Buffer {
    const larger = takeSlab(largeBytes);
    slab.copy(larger, 0, 0, this.#end);
    giveSlab(slab);
    this.#slab = larger;
    return larger;
  }
}
