#include "cli/bench.h"
#include "cli/cluster.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/consume.h"
#include "cli/doctor.h"
#include "cli/group.h"
#include "cli/produce.h"
#include "cli/topic.h"

namespace millrace::cli {
namespace {

std::vector<Command> join_commands() {
  std::vector<Command> all = {kProduceCommand, kConsumeCommand};
  for (const auto part : {topic_commands(), group_commands(), config_commands(), cluster_commands()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  all.push_back(kDoctorCommand);
  all.push_back(kBenchCommand);
  return all;
}

}  // namespace

std::span<const Command> client_commands() {
  static const std::vector<Command> all = join_commands();
  return all;
}

}  // namespace millrace::cli
