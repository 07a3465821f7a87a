-- A registry written when version 2 was the newest: a dump, restored by registry_migrations_test.
CREATE TABLE schema_migration (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL);
INSERT INTO schema_migration VALUES (1, '0001_initial', '2025-03-01T12:00:00Z');
INSERT INTO schema_migration VALUES (2, '0002_sweeps', '2025-03-01T12:00:00Z');
CREATE TABLE run (
    id TEXT PRIMARY KEY NOT NULL,
    sweep TEXT,
    name TEXT,
    state TEXT NOT NULL CHECK (state IN ('planned', 'running', 'ok', 'diverged', 'failed', 'stopped')),
    state_reason TEXT,
    family TEXT,
    attention TEXT,
    layers INTEGER,
    width INTEGER,
    heads INTEGER,
    kv_heads INTEGER,
    head_dim INTEGER,
    mlp_width INTEGER,
    context INTEGER,
    vocab INTEGER,
    total_params INTEGER,
    embedding_params INTEGER,
    head_params INTEGER,
    non_embedding_params INTEGER,
    tokens INTEGER,
    unique_tokens INTEGER,
    flops REAL,
    flops_6nd REAL,
    flops_per_token REAL,
    batch_tokens INTEGER,
    seed INTEGER,
    lr REAL,
    parameterization TEXT,
    final_train_loss REAL,
    final_val_loss REAL,
    best_val_loss REAL,
    bits_per_byte REAL,
    steps INTEGER,
    planned_steps INTEGER,
    seconds REAL,
    tokens_per_second REAL,
    share_of_peak REAL,
    peak_memory_bytes INTEGER,
    dp INTEGER,
    tp INTEGER,
    pp INTEGER,
    data_hash TEXT,
    code_version TEXT,
    host TEXT,
    created_at TEXT,
    finished_at TEXT,
    folder TEXT,
    spec TEXT
);

CREATE TABLE run_tag (
    run_id TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (run_id, tag)
) WITHOUT ROWID;

-- The documented interface: docs/formats.md describes every column. Queries see nothing else.
CREATE VIEW runs AS
SELECT
    id, sweep, name, state, state_reason,
    family, attention, layers, width, heads, kv_heads, head_dim, mlp_width, context, vocab,
    total_params, embedding_params, head_params, non_embedding_params,
    tokens, unique_tokens, flops, flops_6nd, flops_per_token, batch_tokens, seed, lr, parameterization,
    final_train_loss, final_val_loss, best_val_loss, bits_per_byte,
    steps, planned_steps, seconds, tokens_per_second, share_of_peak, peak_memory_bytes,
    dp, tp, pp, data_hash, code_version, host, created_at, finished_at, folder,
    coalesce((SELECT group_concat(tag, ',') FROM (SELECT tag FROM run_tag WHERE run_id = run.id ORDER BY tag)), '')
        AS tags,
    spec
FROM run;

CREATE INDEX run_by_sweep ON run (sweep, state);

-- One row a sweep, counted from its runs.
CREATE VIEW sweeps AS
SELECT
    sweep,
    count(*) AS runs,
    sum(state = 'planned') AS planned,
    sum(state = 'running') AS running,
    sum(state = 'ok') AS ok,
    sum(state = 'diverged') AS diverged,
    sum(state = 'failed') AS failed,
    sum(state = 'stopped') AS stopped,
    min(created_at) AS created_at,
    max(finished_at) AS finished_at
FROM run
WHERE sweep IS NOT NULL
GROUP BY sweep;

INSERT INTO run (id, sweep, name, state, family, attention, layers, width, tokens, flops, final_val_loss, created_at, spec)
VALUES ('3f2a9c01d4be', 'quickstart', 'w64', 'ok', 'decoder', 'dense', 4, 64, 1000000, 1.25e12, 2.3125,
        '2025-03-01T12:00:01Z', '{"model":{"width":64}}');
INSERT INTO run (id, sweep, name, state, state_reason, family, attention, layers, width, tokens, flops, created_at, spec)
VALUES ('8bb0771e52aa', 'quickstart', 'w128', 'diverged', 'loss is NaN', 'decoder', 'window', 4, 128, 5000, 2.5e10,
        '2025-03-01T12:00:02Z', '{"model":{"width":128}}');
INSERT INTO run_tag VALUES ('3f2a9c01d4be', 'paper'), ('3f2a9c01d4be', 'good');
