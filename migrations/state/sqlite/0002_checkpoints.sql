-- A checkpoint per partition of the log.
CREATE TABLE checkpoints (
    consumer  TEXT NOT NULL,
    partition INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    PRIMARY KEY (consumer, partition)
) STRICT;

INSERT INTO checkpoints (consumer, partition, position) SELECT name, 0, position FROM consumers;

DROP TABLE consumers;
