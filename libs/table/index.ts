export {
  openTable,
  type Change,
  type Decision,
  type Row,
  type Table,
  type TableOptions,
  type Written,
} from './table.js';
