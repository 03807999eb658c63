// Decodes the messages of PostgreSQL's own output plugin `pgoutput`, protocol 1, into row changes:
// { table, type: 'INSERT' | 'UPDATE' | 'DELETE', columns: [{ name, oid }], record, old } with values as text.
export class ChangeDecoder {
  #relations = new Map();

  // One message; null for those that are no row change.
  decode(bytes) {
    let at = 0;
    const byte = () => String.fromCharCode(bytes[at++]);
    const int16 = () => { at += 2; return bytes.readInt16BE(at - 2); };
    const int32 = () => { at += 4; return bytes.readInt32BE(at - 4); };
    const text = () => { const end = bytes.indexOf(0, at); const value = bytes.toString('utf8', at, end); at = end + 1; return value; };
    const tuple = (relation) => {
      const record = {};
      const count = int16();
      for (let i = 0; i < count; ++i) {
        const kind = byte();
        if (kind === 't') { const size = int32(); record[relation.columns[i].name] = bytes.toString('utf8', at, at + size); at += size; }
        else if (kind === 'n') record[relation.columns[i].name] = null;
      }
      return record;
    };
    const kind = byte();
    if (kind === 'R') {
      const id = int32();
      const schema = text(), name = text();
      at += 1;  // replica identity
      const columns = [];
      for (let count = int16(); count > 0; --count) {
        at += 1;  // part of the key
        const column = { name: text(), oid: int32() };
        at += 4;
        columns.push(column);
      }
      this.#relations.set(id, { schema, name, columns });
      return null;
    }
    if (!'IUD'.includes(kind)) return null;
    const relation = this.#relations.get(int32());
    const change = { schema: relation.schema, table: relation.name, columns: relation.columns, record: null, old: {} };
    change.type = { I: 'INSERT', U: 'UPDATE', D: 'DELETE' }[kind];
    for (let part = byte(); ; part = byte()) {
      if (part === 'N') { change.record = tuple(relation); return change; }
      change.old = tuple(relation);
      if (kind === 'D') return change;
    }
  }
}
