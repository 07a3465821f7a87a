loglog_add_test(delta_attention_test SOURCES delta_attention_test.cpp LINK loglog::kernels)
loglog_add_test(short_convolution_test SOURCES short_convolution_test.cpp LINK loglog::kernels)
