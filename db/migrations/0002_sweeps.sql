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
