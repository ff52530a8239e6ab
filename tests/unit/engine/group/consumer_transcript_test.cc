// Groups of the consumer protocol by transcripts (*.txt beside this file): each command is a step, whose records are applied at
// once. After every step a replay of all records must give the state that the live machine has.
#include <gtest/gtest.h>

#include "tests/unit/engine/group/consumer_world.h"

namespace millrace::engine {
namespace {

class ConsumerTranscript : public ::testing::TestWithParam<const char*> {};

TEST_P(ConsumerTranscript, answers_as_written) {
  ConsumerWorld world;
  tests::run_transcript(std::string("tests/unit/engine/group/") + GetParam(),
                        [&](const tests::TranscriptCommand& command) { return world.handle(command); });
}

INSTANTIATE_TEST_SUITE_P(Files, ConsumerTranscript,
                         ::testing::Values("consumer_reconciliation.txt", "consumer_joining.txt", "consumer_members.txt",
                                           "consumer_removal.txt", "consumer_topics.txt", "consumer_offsets.txt",
                                           "consumer_configs.txt", "move_up.txt", "move_down.txt",
                                           "move_static_members.txt", "move_timeouts.txt"),
                         [](const auto& info) {
                           std::string name = info.param;
                           return name.substr(0, name.find('.'));
                         });

}  // namespace
}  // namespace millrace::engine
