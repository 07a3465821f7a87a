loglog_add_test(linear_attention_test SOURCES linear_attention_test.cpp LINK loglog::kernels)
