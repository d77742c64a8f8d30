export { newSecret, newSeed, parsePublicKey, parseSecret, publicKeyOf, secretText } from './secret.js';
export { signatureOf, type WebhookKey } from './sign.js';
export { verifyWebhook, type SignedRequest, type Verification, type VerifyOptions } from './verify.js';
