loglog_add_test(linear_attention_ops_test SOURCES linear_attention_ops_test.cpp LINK loglog::ops)
