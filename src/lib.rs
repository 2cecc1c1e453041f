//! A Fluent Bit output plugin that delivers logs to Amazon Data Firehose.
