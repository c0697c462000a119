//! Connections that are protected, on real servers that are configured so: SCRAM, OAUTHBEARER and client certificates to a broker, TLS with
//! basic authentication to a registry; what a person is told when they are refused; and what a principal with few rights may do.

mod acls;
mod certificates;
#[path = "../conformance/mod.rs"]
#[allow(dead_code, reason = "some promises have nothing to do with the connection")]
mod conformance;
mod ground;
mod provider;
#[path = "../ground/reaped.rs"]
mod reaped;
mod refused;
mod registry;
mod rights;
mod tls;
mod ways;
