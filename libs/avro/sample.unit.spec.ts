import { describe, expect, it } from '@jest/globals';
import { compileContract, sample } from './index.js';

describe('sample data', () => {
  it('of a plain fixed has the size of the fixed, so that it can be encoded', () => {
    for (const size of [1, 3, 16]) {
      const contract = compileContract(
        JSON.stringify({
          type: 'record',
          name: 'R',
          fields: [{ name: 'sidik', type: { type: 'fixed', name: 'F', size } }],
        }),
      );
      const data = sample(contract, 0);
      expect(Buffer.from(String(data['sidik']), 'base64')).toHaveLength(size);
      expect(contract.encode(data, 1).ok).toBe(true);
    }
  });
});
