loglog_add_test(softmax_attention_test SOURCES softmax_attention_test.cpp LINK loglog::ops)
