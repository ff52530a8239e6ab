// What it costs to validate a produced batch, per GB and per record, beside its checksum alone and
// a copy of it.
//
//   record_batch [--megabytes N]
//
// Ends with the sum of what it computed, so that nothing is optimised away.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/crc32c.h"
#include "engine/log/compression.h"
#include "engine/log/format/append_validation.h"
#include "engine/log/format/record.h"

namespace millrace::log {
namespace {

constexpr WallTime kNow{1'700'000'000'000};

std::vector<std::byte> make_batch(std::size_t value_bytes, std::size_t batch_bytes, Codec codec,
                                  Codecs& codecs) {
  BatchBuilder builder;
  std::string value;
  for (std::size_t i = 0; i < value_bytes; ++i) value += static_cast<char>('a' + i * 7 % 26);
  while (builder.size() + value_bytes < batch_bytes) {
    builder.append(kNow.ms, std::nullopt, as_bytes(value));
  }
  const auto bytes = *builder.finish(codecs, codec, kDefaultCompressionLevel);
  return {bytes.begin(), bytes.end()};
}

// Repeats `work` over `bytes` of input until `total` is through; gives seconds.
double time_of(std::size_t total, std::size_t bytes, const std::function<void()>& work) {
  work();
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t done = 0; done < total; done += bytes) work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

int run(std::size_t total) {
  Compression codecs;
  AppendWorkspace workspace(codecs);
  AppendRules rules;
  rules.max_message_bytes = std::size_t{64} << 20;
  std::uint64_t checksum = 0;
  fmt::print("{:<8} {:>7} {:>8} {:>10} {:>12} {:>12} {:>12}\n", "codec", "value", "batch",
             "crc GB/s", "check GB/s", "ns/record", "copy GB/s");
  for (const Codec codec : {Codec::none, Codec::snappy, Codec::lz4, Codec::zstd, Codec::gzip}) {
    for (const std::size_t value : {std::size_t{100}, std::size_t{1024}}) {
      for (const std::size_t size : {std::size_t{16} << 10, std::size_t{1} << 20}) {
        if (codec != Codec::none && size != std::size_t{16} << 10) continue;
        auto batch = make_batch(value, size, codec, codecs);
        const std::int32_t records = RecordBatch::parse(batch)->record_count();
        std::vector<std::byte> copy(batch.size());
        const double gigabytes = static_cast<double>(total) / 1e9;
        const double crc = time_of(total, batch.size(), [&] { checksum += crc32c(batch); });
        const double check = time_of(total, batch.size(), [&] {
          const auto valid = validate_for_append(batch, rules, kNow, workspace);
          CHECK(valid.has_value());
          checksum += static_cast<std::uint64_t>(valid->max_timestamp);
        });
        const double copied = time_of(total, batch.size(), [&] {
          std::memcpy(copy.data(), batch.data(), batch.size());
          checksum += static_cast<std::uint64_t>(copy[copy.size() / 2]);
        });
        const double batches = static_cast<double>(total) / static_cast<double>(batch.size());
        fmt::print("{:<8} {:>7} {:>8} {:>10.2f} {:>12.2f} {:>12.1f} {:>12.2f}\n", to_string(codec),
                   value, batch.size(), gigabytes / crc, gigabytes / check,
                   check * 1e9 / (batches * records), gigabytes / copied);
      }
    }
  }
  fmt::print("checksum {}\n", checksum);
  return 0;
}

}  // namespace
}  // namespace millrace::log

int main(int argc, char** argv) {
  CLI::App app{"record batch validation"};
  std::size_t megabytes = 256;
  app.add_option("--megabytes", megabytes, "bytes per figure");
  CLI11_PARSE(app, argc, argv);
  return millrace::log::run(megabytes << 20);
}
