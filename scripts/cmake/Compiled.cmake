# plait::compiled: what is a template on float and double alone, compiled once with the flags of the
# tree that it is in. Used by plait's own CMakeLists.txt and, installed beside the sources, by
# find_package(plait COMPONENTS compiled).
#
# plait_add_compiled(<directory of the sources>)
function(plait_add_compiled sources)
  add_library(plait_compiled STATIC EXCLUDE_FROM_ALL
    ${sources}/embeddings.cpp ${sources}/inspect.cpp ${sources}/kernels.cpp ${sources}/model.cpp ${sources}/optim.cpp
    ${sources}/serve.cpp ${sources}/train.cpp)
  add_library(plait::compiled ALIAS plait_compiled)
  set_target_properties(plait_compiled PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_definitions(plait_compiled PUBLIC PLAIT_COMPILED)
  target_link_libraries(plait_compiled PUBLIC plait::plait)
  if(TARGET plait::io)
    target_sources(plait_compiled PRIVATE ${sources}/io.cpp)
    target_compile_definitions(plait_compiled PUBLIC PLAIT_COMPILED_IO)
    target_link_libraries(plait_compiled PUBLIC plait::io)
  endif()
endfunction()
