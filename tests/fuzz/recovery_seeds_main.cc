// Writes the corpus of fuzz_recovery into the directory given: partitions as they are after a few appends, whole, torn, with
// their indexes and with a write-ahead log that holds more than the segment.
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "engine/log/format/record_batch.h"
#include "engine/log/write_ahead_format.h"
#include "tests/sim/log_node.h"

namespace millrace::log {
namespace {

using Input = std::vector<std::byte>;

void add(Input& input, std::uint8_t file, ConstBytes bytes) {
  input.push_back(std::byte{file});
  input.push_back(static_cast<std::byte>(bytes.size() >> 8));
  input.push_back(static_cast<std::byte>(bytes.size()));
  input.insert(input.end(), bytes.begin(), bytes.end());
}

Input batches(int first, int count) {
  Input all;
  for (int i = first; i < first + count; ++i) {
    auto batch = sim::make_batch({.values = {"value " + std::to_string(i)}, .timestamp = 1000 + i});
    set_base_offset(batch, Offset(i));
    set_leader_epoch(batch, LeaderEpoch(0));
    all.insert(all.end(), batch.begin(), batch.end());
  }
  return all;
}

Input write_ahead(int first, int count) {
  const Input held = batches(first, count);
  Input file(kWriteAheadFramesFrom + round_up_to_block(WriteAheadFrameHeader::kBytes + WriteAheadEntry::kBytes + held.size()));
  WriteAheadFileHeader{.generation = 1, .state = FileState::in_use, .live_from = 1}.store(file.data());
  std::byte* const frame = file.data() + kWriteAheadFramesFrom;
  std::byte* const entry = frame + WriteAheadFrameHeader::kBytes;
  WriteAheadEntry{.length = static_cast<std::uint32_t>(held.size()),
                  .partition = {.topic_id = Uuid::from_halves(7, 1), .partition = PartitionIndex(0)},
                  .offset = Offset(first),
                  .end_offset = Offset(first + count)}
      .store(entry);
  std::copy(held.begin(), held.end(), entry + WriteAheadEntry::kBytes);
  const std::size_t bytes = WriteAheadFrameHeader::kBytes + WriteAheadEntry::kBytes + held.size();
  WriteAheadFrameHeader{.generation = 1, .sequence = 1, .bytes = static_cast<std::uint32_t>(bytes), .entries = 1}.store(frame);
  const auto crc = entry_checksum(ConstBytes(entry, WriteAheadEntry::kBytes + held.size()), 0);
  constexpr std::size_t kFrom = WriteAheadFrameHeader::kCoveredFrom;
  WriteAheadFrameHeader::store_crc(frame, crc32c(ConstBytes(frame + kFrom, WriteAheadFrameHeader::kBytes - kFrom), *crc));
  return file;
}

void save(const std::string& directory, const std::string& name, const Input& input) {
  std::ofstream file(directory + "/" + name, std::ios::binary);
  file.write(reinterpret_cast<const char*>(input.data()), static_cast<std::streamsize>(input.size()));
}

}  // namespace
}  // namespace millrace::log

int main(int argc, char** argv) {
  using namespace millrace;
  using namespace millrace::log;
  if (argc != 2) return 2;
  const std::string directory = argv[1];
  const std::string epochs = "0\n1\n0 0\n";
  const std::string recovered = "0\n1\nt 0 5\n";
  const auto start = [&](bool clean) {
    Input input{std::byte{clean}};
    add(input, 4, as_bytes(epochs));
    return input;
  };
  Input whole = start(true);
  add(whole, 0, batches(0, 10));
  save(directory, "whole", whole);
  Input torn = start(false);
  Input cut = batches(0, 10);
  cut.resize(cut.size() - 20);
  add(torn, 0, cut);
  save(directory, "torn", torn);
  Input damaged = start(false);
  Input flipped = batches(0, 10);
  flipped[200] ^= std::byte{4};
  add(damaged, 0, flipped);
  add(damaged, 5, as_bytes(recovered));
  save(directory, "damaged_below_the_recovery_point", damaged);
  Input held = start(false);
  add(held, 0, batches(0, 4));
  add(held, 6, write_ahead(2, 6));
  save(directory, "write_ahead_holds_more", held);
  Input segments = start(false);
  add(segments, 0, batches(0, 7));
  add(segments, 7, batches(7, 3));
  add(segments, 1, Input(16, std::byte{1}));
  save(directory, "two_segments_and_a_wrong_index", segments);
  Input zeros = start(false);
  Input tail = batches(0, 3);
  tail.resize(tail.size() + 4096);
  add(zeros, 0, tail);
  save(directory, "reserved_room", zeros);
}
