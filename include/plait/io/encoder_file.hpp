// Encoders in files: in one of their own, or as a part of another (of a model's:
// encoded_model_file.hpp).
//
//   save(encoder, "encoder.safetensors");
//   const FeatureEncoder encoder = load_encoder("encoder.safetensors");
//
// Of the file's metadata, plait.features has the description and what was fitted as JSON; the
// vocabulary of each table is two tensors, plait.vocabulary.{table}.bytes (U8), its texts by row
// from 2 on, and plait.vocabulary.{table}.offsets (I64), where each of them begins, and the end.
//
// Loading trusts nothing: time and memory stay in proportion to the file.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plait/core/config.hpp"
#include "plait/core/error.hpp"
#include "plait/features/feature.hpp"
#include "plait/features/feature_encoder.hpp"
#include "plait/features/text_table.hpp"
#include "plait/io/dtype.hpp"
#include "plait/io/error.hpp"
#include "plait/io/fields.hpp"
#include "plait/io/metadata_keys.hpp"
#include "plait/io/safetensors.hpp"
#include "plait/io/seal.hpp"

namespace plait {

namespace detail {

inline constexpr std::string_view encoder_format = "plait.encoder.1";

// What the JSON holds.
struct EncoderFields {
  EncoderConfig config = {};
  std::vector<FittedFeature> fitted = {};

  void fields(FieldVisitor& visit) {
    visit("config", config);
    visit("fitted", fitted);
  }
};

inline std::vector<std::string> vocabulary_tables(const EncoderConfig& config) {
  std::vector<std::string> names;
  for (const Feature* first : tables_of(config))
    if (first->kind == FeatureKind::vocabulary) names.push_back(table_of(*first));
  return names;
}
inline std::string vocabulary_tensor(const std::string& table, const char* part) {
  return text("plait.vocabulary.", table, ".", part);
}

}  // namespace detail

// Adds an encoder to a file. The writer borrows its vocabularies until it writes. Throws
// ConfigError for names that are not UTF-8.
PLAIT_COLD inline void add_encoder(SafetensorsWriter& writer, const FeatureEncoder& encoder) {
  const EncoderState& state = encoder.state();
  const detail::EncoderFields fields{state.config, state.fitted};
  writer.add_metadata(detail::features_key, detail::write_fields(fields, largest_count));
  const auto tables = detail::vocabulary_tables(state.config);
  for (std::size_t t = 0; t < tables.size(); ++t) {
    const TextTable& texts = state.vocabularies[t];
    writer.add_bytes(detail::vocabulary_tensor(tables[t], "bytes"), DType::u8,
                     {texts.bytes().size()}, std::as_bytes(std::span(texts.bytes())));
    writer.add(detail::vocabulary_tensor(tables[t], "offsets"), {texts.offsets().size()},
               texts.offsets());
  }
}

inline bool has_encoder(const SafetensorsHeader& header) {
  return header.meta(detail::features_key) != nullptr;
}

// Reads an encoder out of a file whose other tensors are somebody else's:
//
//   EncoderReader encoder(header, name);
//   for (const TensorInfo& tensor : header.tensors)
//     if (!encoder.take(file, tensor)) ...
//   encoder.finish();
class EncoderReader {
 public:
  // Throws FormatError for a description that is missing or makes no sense.
  PLAIT_COLD EncoderReader(const SafetensorsHeader& header, std::string file)
      : file_(std::move(file)) {
    const std::string* json = header.meta(detail::features_key);
    if (json == nullptr) refuse("metadata", text("no ", detail::features_key), "an encoder");
    detail::read_fields(
        *json, {.file = file_, .where = detail::features_key, .limit = largest_count}, fields_);
    checked([&] { check_features(fields_.config); });
    tables_ = detail::vocabulary_tables(fields_.config);
    parts_.resize(tables_.size());
    for (std::size_t t = 0; t < tables_.size(); ++t) {
      bytes_.emplace(detail::vocabulary_tensor(tables_[t], "bytes"), t);
      offsets_.emplace(detail::vocabulary_tensor(tables_[t], "offsets"), t);
    }
  }

  // Reads a tensor, from where SealedReader stands, if it is one of the encoder's: false for
  // others. Throws FormatError for one of another type or shape, FileError.
  PLAIT_COLD bool take(SealedReader& file, const TensorInfo& tensor) {
    if (!tensor.name.starts_with("plait.vocabulary.")) return false;
    if (const auto at = bytes_.find(tensor.name); at != bytes_.end())
      read(file, tensor, DType::u8, parts_[at->second].bytes);
    else if (const auto of = offsets_.find(tensor.name); of != offsets_.end())
      read(file, tensor, DType::i64, parts_[of->second].offsets);
    else
      refuse(in_quotes(tensor.name), "the tensor of no table", "those of the encoder");
    return true;
  }

  // After the last tensor. Throws FormatError for a part that is missing or does not fit.
  PLAIT_COLD FeatureEncoder finish() {
    EncoderState state{.config = std::move(fields_.config), .fitted = std::move(fields_.fitted)};
    for (std::size_t t = 0; t < tables_.size(); ++t) {
      const Parts& parts = parts_[t];
      if (!parts.bytes || !parts.offsets)
        refuse("tensors", "no vocabulary of table " + in_quotes(tables_[t]), "it");
      checked([&] {
        const std::string_view bytes(reinterpret_cast<const char*>(parts.bytes->data()),
                                     parts.bytes->size());
        state.vocabularies.emplace_back(bytes, *parts.offsets);
      });
      parts_[t] = {};
    }
    std::optional<FeatureEncoder> encoder;
    checked([&] { encoder.emplace(std::move(state)); });
    return *encoder;
  }

 private:
  struct Parts {
    std::optional<std::vector<std::uint8_t>> bytes;
    std::optional<std::vector<std::int64_t>> offsets;
  };

  template <class T>
  void read(SealedReader& file, const TensorInfo& tensor, DType dtype,
            std::optional<std::vector<T>>& into) const {
    if (tensor.dtype != dtype || tensor.shape.size() != 1)
      refuse(in_quotes(tensor.name), "another type or shape", text("a list of ", info(dtype).name));
    into.emplace(static_cast<std::size_t>(tensor.count()));
    file.read(tensor, std::span<T>(*into));
  }

  template <class Build>
  void checked(const Build& build) const {
    try {
      build();
    } catch (const Error& error) {
      refuse("encoder", error.what(), "what can be built");
    }
  }
  [[noreturn]] void refuse(const std::string& part, const std::string& got,
                           const std::string& expected) const {
    throw FormatError(file_, part, got, expected);
  }

  std::string file_;
  detail::EncoderFields fields_;
  std::vector<std::string> tables_;
  std::vector<Parts> parts_;
  std::map<std::string, std::size_t> bytes_, offsets_;  // tables by the names of tensors
};

// A file of the encoder alone; one that is there survives a failure (see AtomicFile). Throws
// FileError, or as add_encoder.
PLAIT_COLD inline void save(const FeatureEncoder& encoder, const std::string& path) {
  SafetensorsWriter writer;
  writer.add_metadata("plait.format", std::string(detail::encoder_format));
  add_encoder(writer, encoder);
  seal(writer);
  writer.write(path);
}

// Throws FileError, and FormatError for anything but such a file.
PLAIT_COLD inline FeatureEncoder load_encoder(SafetensorsReader reader) {
  SealedReader file(std::move(reader));
  if (file.meta("plait.format") != detail::encoder_format)
    throw FormatError(file.name(), "plait.format", in_quotes(file.meta("plait.format")),
                      std::string(detail::encoder_format));
  EncoderReader encoder(file.header(), file.name());
  for (const TensorInfo& tensor : file.header().tensors)
    if (!encoder.take(file, tensor))
      throw FormatError(file.name(), in_quotes(tensor.name), "a tensor", "those of the encoder");
  file.finish();
  return encoder.finish();
}
PLAIT_COLD inline FeatureEncoder load_encoder(const std::string& path) {
  return load_encoder(SafetensorsReader(path));
}

// A description as JSON for people, and from it: in any order, with any spaces, defaults spelt out
// or not. `name` stands for the text in errors. Throws ConfigError for texts that are not UTF-8 and
// numbers that are not finite; FormatError for anything but a description, and ConfigError as
// check_features.
PLAIT_COLD inline std::string to_json(const EncoderConfig& config) {
  return detail::write_fields(config, largest_count, 2) + '\n';
}
PLAIT_COLD inline EncoderConfig read_encoder_config(const std::string& json,
                                                    const std::string& name) {
  EncoderConfig config;
  detail::read_fields(
      json, {.file = name, .where = "features", .limit = largest_count, .by_hand = true}, config);
  check_features(config);
  return config;
}

}  // namespace plait
