// The byte vectors of kraft-golden.txt, printed by Apache Kafka's own serialisers.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace millrace::tests {

inline std::vector<std::byte> from_hex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return bytes;
}

inline std::string to_hex(ConstBytes bytes) {
  std::string hex;
  for (const auto byte : bytes) {
    hex += "0123456789abcdef"[static_cast<int>(byte) >> 4];
    hex += "0123456789abcdef"[static_cast<int>(byte) & 15];
  }
  return hex;
}

// Tests run in the root of the source tree.
inline std::vector<std::byte> golden(const std::string& name) {
  std::ifstream file("tests/support/kraft-golden.txt");
  EXPECT_TRUE(file.good());
  for (std::string line; std::getline(file, line);) {
    const auto tab = line.find('\t');
    if (tab != std::string::npos && line.substr(0, tab) == name) {
      return from_hex(std::string_view(line).substr(tab + 1));
    }
  }
  ADD_FAILURE() << "no vector named " << name;
  return {};
}

}  // namespace millrace::tests
