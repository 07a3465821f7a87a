# Linear attention whose state decays by a factor per head, or not at all.
target_sources(loglog_kernels PRIVATE linear_attention_backward_cpu.cpp linear_attention_cost.cpp
  linear_attention_forward_cpu.cpp linear_attention_step_cpu.cpp)
