//! Everything that people and programs talk to: the command line, HTTP and the exposition.

pub mod accounts;
pub mod audit;
pub mod boards;
pub mod caller;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dictionary;
pub mod explained;
pub mod exposition;
pub mod http;
pub mod inbox;
mod listen;
pub mod maintenance;
pub mod measure;
mod orders;
pub mod output;
pub mod pgwire;
pub mod relay;
pub mod schema;
pub mod server;
pub mod sources;
pub mod sql_door;
pub mod standing;
pub mod telemetry;
pub mod tls;
