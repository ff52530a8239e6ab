// Writes the seeds of fuzz_record_batch: record_batch_seeds DIRECTORY
#include <cstdio>
#include <fstream>
#include <string>

#include "engine/log/compression.h"
#include "engine/log/format/batch_builder.h"
#include "engine/log/format/control_record.h"

namespace millrace::log {
namespace {

void write(const std::string& directory, const std::string& name, ConstBytes bytes) {
  std::ofstream file(directory + "/" + name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

void fill(BatchBuilder& builder) {
  const std::vector<RecordHeader> headers = {{"trace", as_bytes("abc")}, {"none", std::nullopt}};
  for (int i = 0; i < 5; ++i) {
    builder.append(1'700'000'000'000 + i, as_bytes("key"), as_bytes("value value value"), headers);
  }
  builder.append(1'700'000'000'009, std::nullopt, std::nullopt);
}

void control(const std::string& directory, const std::string& name, ControlType type,
             const std::vector<std::byte>& value) {
  BatchBuilder builder(
      {.producer_id = ProducerId(4), .producer_epoch = 1, .transactional = true, .control = true});
  append_control(builder, 1'700'000'000'000, type, value);
  write(directory, name, builder.finish());
}

}  // namespace
}  // namespace millrace::log

int main(int argc, char** argv) {
  using namespace millrace;
  using namespace millrace::log;
  if (argc != 2) return 2;
  const std::string directory = argv[1];
  Compression compression;
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd}) {
    BatchBuilder builder({.producer_id = ProducerId(4), .producer_epoch = 0, .base_sequence = 7});
    fill(builder);
    write(directory, std::string(to_string(codec)),
          *builder.finish(compression, codec, kDefaultCompressionLevel));
  }
  BatchBuilder gaps;
  gaps.append_at(0, 1'700'000'000'000, {}, as_bytes("a"));
  gaps.append_at(3, 1'700'000'000'000, {}, as_bytes("b"));
  write(directory, "gaps", gaps.finish());
  control(directory, "commit", ControlType::commit,
          encode(EndTransactionMarker{ControlType::commit, 3}));
  control(directory, "leader_change", ControlType::leader_change,
          encode(LeaderChange{.version = 1, .leader = BrokerId(1), .voters = {{BrokerId(1), {}}}}));
  control(directory, "voters", ControlType::voters,
          encode(VotersRecord{{{BrokerId(1), {}, {{"CONTROLLER", "localhost", 9093}}, 0, 1}}}));
  control(directory, "kraft_version", ControlType::kraft_version, encode(KRaftVersion{1}));
  return 0;
}
