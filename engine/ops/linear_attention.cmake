target_sources(loglog_ops PRIVATE decay_attention.cpp feature_attention.cpp linear_checks.cpp)
