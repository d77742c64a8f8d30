export { openNetworkText, readOpenNetworks, type OpenNetwork, type OpenNetworkList } from './list.js';
export { contains, networkText, parseAddress, parseNetwork, type Address, type Network } from './network.js';
export { specialUse, SPECIAL_NETWORKS } from './special.js';
