target_sources(loglog_kernels
  PRIVATE attention_mask.cpp attention_mask_pattern.cpp attention_masks.cpp attention_moba_cpu.cpp)
