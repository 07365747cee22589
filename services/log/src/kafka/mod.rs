//! The log in Apache Kafka, with a PostgreSQL database beside it.
