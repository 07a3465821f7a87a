-- What probes and recall tokens show, beside the losses.
ALTER TABLE run ADD COLUMN accuracy REAL;
ALTER TABLE run ADD COLUMN recall_loss REAL;

DROP VIEW runs;
CREATE VIEW runs AS
SELECT
    id, sweep, name, state, state_reason,
    family, attention, layers, width, heads, kv_heads, head_dim, mlp_width, context, vocab,
    total_params, embedding_params, head_params, non_embedding_params,
    tokens, unique_tokens, flops, flops_6nd, flops_per_token, batch_tokens, seed, lr, parameterization,
    final_train_loss, final_val_loss, best_val_loss, bits_per_byte, accuracy, recall_loss,
    steps, planned_steps, seconds, tokens_per_second, share_of_peak, peak_memory_bytes,
    dp, tp, pp, data_hash, code_version, host, created_at, finished_at, folder,
    coalesce((SELECT group_concat(tag, ',') FROM (SELECT tag FROM run_tag WHERE run_id = run.id ORDER BY tag)), '')
        AS tags,
    spec
FROM run;
