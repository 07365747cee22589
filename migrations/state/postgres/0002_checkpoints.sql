-- A checkpoint per partition of the log.
CREATE TABLE checkpoints (
    consumer  TEXT COLLATE "C" NOT NULL,
    partition BIGINT NOT NULL,
    position  BIGINT NOT NULL,
    PRIMARY KEY (consumer, partition)
);

INSERT INTO checkpoints (consumer, partition, position) SELECT name, 0, position FROM consumers;

DROP TABLE consumers;
