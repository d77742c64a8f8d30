export { readNetworks, type NetworkList } from './list.js';
export { contains, networkText, parseAddress, parseNetwork, type Address, type Network } from './network.js';
export { specialUse } from './special.js';
