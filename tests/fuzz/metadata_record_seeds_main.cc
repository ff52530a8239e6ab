// Writes the corpus of fuzz_metadata_record: each type of record in each version, filled at random
// and left empty.
//   metadata_record_seeds tests/fuzz/corpus/fuzz_metadata_record
#include <fmt/core.h>

#include <fstream>

#include "tests/unit/engine/metadata/random_record.h"

int main(int argc, char** argv) {
  using namespace millrace;
  using namespace millrace::engine;
  if (argc != 2) return 2;
  Prng prng(1);
  for (int round = 0; round < 2; ++round) {
    engine::testing::for_each_record_version(prng, [&](const VersionedRecord& record) {
      const auto bytes = encode_record(record);
      const std::string path =
          fmt::format("{}/{}_v{}_{}", argv[1], record_name(record.record), record.version, round);
      std::ofstream(path, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()));
    });
  }
  return 0;
}
