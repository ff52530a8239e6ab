// A metadata record's value. What decodes must encode to something that decodes to the same, be
// printable, and either change an image or be refused by it.
#include "base/check.h"
#include "engine/metadata/image.h"
#include "engine/metadata/records.h"

namespace {

using namespace millrace;
using namespace millrace::engine;

// A little of everything, so that records have something to change.
const ImageBuilder& populated() {
  static const ImageBuilder builder = [] {
    ImageBuilder made;
    const TopicId topic = Uuid::from_halves(0x0102030405060708, 0x090a0b0c0d0e0f10);
    const MetadataRecord records[] = {
        FeatureLevelRecord{"metadata.version", 25},
        RegisterBrokerRecord{.broker_id = 1, .broker_epoch = 7},
        TopicRecord{"foo", topic},
        PartitionRecord{
            .partition_id = 0, .topic_id = topic, .replicas = {1}, .isr = {1}, .leader = 1},
        ConfigRecord{2, "foo", "retention.ms", "1"},
    };
    for (const MetadataRecord& record : records) CHECK(made.apply(record).has_value());
    return made;
  }();
  return builder;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto record = decode_record(ConstBytes(reinterpret_cast<const std::byte*>(data), size));
  if (!record) return 0;
  const auto bytes = encode_record(*record);
  const auto again = decode_record(bytes);
  CHECK(again.has_value(), "{}", again.error().message);
  // By bytes and not by value: a quota may be a number that is not equal to itself.
  CHECK(encode_record(*again) == bytes, "{}", describe_record(*record));
  ImageBuilder builder = populated();
  if (!builder.apply(record->record)) return 0;
  ImageBuilder from_snapshot;
  for (const VersionedRecord& part : to_records(builder.uncommitted())) {
    CHECK(from_snapshot.apply(part.record).has_value(), "{}", describe_record(part));
  }
  return 0;
}
