loglog_add_test(delta_attention_op_test
  SOURCES delta_attention_op_test.cpp short_convolution_op_test.cpp
  LINK loglog::ops)
