// Metadata by which a model file says what it holds beside a network.
#pragma once

namespace plait::detail {

inline constexpr const char* embeddings_key = "plait.embeddings";  // io/embedding_file.hpp
inline constexpr const char* features_key = "plait.features";      // io/encoder_file.hpp

}  // namespace plait::detail
