# What a layout is expected to cost.
loglog_add_library(machine SOURCES ${CMAKE_CURRENT_LIST_DIR}/machine.cpp LINK loglog::spec PRIVATE_LINK fmt::fmt)
loglog_add_library(performance_model
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/performance_model.cpp
  LINK loglog::machine
  PRIVATE_LINK loglog::parallel_plan loglog::estimate fmt::fmt)
