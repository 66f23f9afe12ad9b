//! Tests without a cluster: the program as a process, its routes, and what it loads from and sends to servers
//! on this machine.
#![cfg(test)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod alerts;
mod binary;
mod brokers;
mod desk;
mod evaluate;
mod faults;
mod browsing;
mod protocols;
mod http;
mod https;
mod restarts;
mod loading;
mod models;
mod mqtt;
mod notifications;
mod outputs;
mod parquet;
mod prometheus;
mod push;
mod recordings;
mod running;
mod secured;
mod serving;
