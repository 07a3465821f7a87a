target_sources(loglog_ops PRIVATE delta_attention.cpp short_convolution.cpp)
