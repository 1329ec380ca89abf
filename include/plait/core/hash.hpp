// Hashes of texts and of numbers, the same on every computer, and what puts them into a range.
// All of it is unsigned: the absolute value of a signed hash may be negative.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace plait {

namespace detail {

template <class Word>
Word little_endian(const char* bytes) {
  Word word = 0;
  if constexpr (std::endian::native == std::endian::little)
    std::memcpy(&word, bytes, sizeof(Word));
  else
    for (std::size_t i = sizeof(Word); i-- > 0;)
      word = static_cast<Word>(word << 8 | static_cast<unsigned char>(bytes[i]));
  return word;
}

}  // namespace detail

// XXH64 of the bytes (Yann Collet's xxHash, specification 0.2.0). Not cryptographic: who knows the
// seed can make texts of equal hashes. Not the library's, which is C to be linked, for 50 lines.
inline std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed = 0) {
  constexpr std::uint64_t prime1 = 0x9e3779b185ebca87u, prime2 = 0xc2b2ae3d27d4eb4fu,
                          prime3 = 0x165667b19e3779f9u, prime4 = 0x85ebca77c2b2ae63u,
                          prime5 = 0x27d4eb2f165667c5u;
  const auto round = [](std::uint64_t lane, std::uint64_t word) {
    return std::rotl(lane + word * prime2, 31) * prime1;
  };
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t hash = seed + prime5;
  if (left >= 32) {
    std::uint64_t lanes[4] = {seed + prime1 + prime2, seed + prime2, seed, seed - prime1};
    for (; left >= 32; at += 32, left -= 32)
      for (std::size_t i = 0; i < 4; ++i)
        lanes[i] = round(lanes[i], detail::little_endian<std::uint64_t>(at + 8 * i));
    hash = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) +
           std::rotl(lanes[3], 18);
    for (const std::uint64_t lane : lanes) hash = (hash ^ round(0, lane)) * prime1 + prime4;
  }
  hash += bytes.size();
  for (; left >= 8; at += 8, left -= 8) {
    hash ^= round(0, detail::little_endian<std::uint64_t>(at));
    hash = std::rotl(hash, 27) * prime1 + prime4;
  }
  if (left >= 4) {
    hash ^= detail::little_endian<std::uint32_t>(at) * prime1;
    hash = std::rotl(hash, 23) * prime2 + prime3;
    at += 4;
    left -= 4;
  }
  for (; left > 0; ++at, --left) {
    hash ^= static_cast<unsigned char>(*at) * prime5;
    hash = std::rotl(hash, 11) * prime1;
  }
  hash = (hash ^ hash >> 33) * prime2;
  hash = (hash ^ hash >> 29) * prime3;
  return hash ^ hash >> 32;
}

// The finaliser of splitmix64 (Steele, Lea and Flood, OOPSLA 2014): a bijection in which every bit
// of z moves every bit of the result.
constexpr std::uint64_t mix64(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// floor(hash count / 2^64): a hash as one of `count` numbers, at most 2^32 of them, without the
// division of a remainder and without its preference for small ones.
constexpr std::uint64_t in_range(std::uint64_t hash, std::uint64_t count) {
  const std::uint64_t low = (hash & 0xffffffffu) * count;
  return ((hash >> 32) * count + (low >> 32)) >> 32;
}

}  // namespace plait
