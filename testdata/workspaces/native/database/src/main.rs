//! Counts rows of a table in memory.

fn main() -> rusqlite::Result<()> {
    let database = rusqlite::Connection::open_in_memory()?;
    database.execute_batch("create table t (x); insert into t values (1), (2), (3)")?;
    let rows: i64 = database.query_row("select count(*) from t", [], |row| row.get(0))?;
    println!("sqlite {} counts {rows}", rusqlite::version());
    Ok(())
}
