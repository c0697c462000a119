//! Each event once: what a service handled is written with the effect itself. Owns what makes two events the same; knows no service.

use sqlx::postgres::PgConnection;

use super::event::Event;

/// The table of handled events.
pub const TABLES: &str = include_str!("tables.sql");

/// Writes down that an event is handled, in the transaction of its effect; `false` when that was written before.
///
/// # Errors
/// When the database refuses.
pub async fn is_first<P>(connection: &mut PgConnection, event: &Event<P>) -> Result<bool, sqlx::Error> {
    let written = sqlx::query("insert into handled_event (event_id, produced_at) values ($1, $2) on conflict do nothing")
        .bind(&event.event_id)
        .bind(event.produced_at)
        .execute(connection)
        .await?;
    Ok(written.rows_affected() == 1)
}
