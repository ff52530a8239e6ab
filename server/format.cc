#include "server/format.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>
#include <vector>

#include "cli/output.h"
#include "io/entropy.h"
#include "io/epoll_proactor.h"
#include "io/file.h"
#include "server/settings_file.h"

namespace millrace::server {
namespace {

struct FormatArguments {
  std::string file;
  std::vector<std::string> overrides;
  std::string cluster_id = "random";
  std::string release_version;
  std::vector<std::string> features;
  bool standalone = false;
  bool ignore_formatted = false;
};

// "group.version=0" and the like.
Result<std::vector<std::pair<std::string, std::int16_t>>> parse_features(const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::int16_t>> features;
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    std::int16_t level = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = equals == std::string::npos
                                   ? std::from_chars_result{text.data(), std::errc::invalid_argument}
                                   : std::from_chars(text.data() + equals + 1, end, level);
    if (error != std::errc{} || stop != end) {
      return fail(Errc::invalid_argument, fmt::format("--feature {}: not name=level, as group.version=0", text));
    }
    features.emplace_back(text.substr(0, equals), level);
  }
  return features;
}

Result<void> run_format(const FormatArguments& arguments) {
  TRY(settings, load_settings(arguments.file, arguments.overrides));
  TRY(proactor, io::EpollProactor::create());
  Prng prng(io::entropy());
  std::string cluster_id = arguments.cluster_id;
  if (cluster_id == "random") {
    TRY(chosen, choose_cluster_id(*proactor, settings, arguments.ignore_formatted, prng));
    cluster_id = std::move(chosen);
  }
  TRY(options, format_options(settings, cluster_id, arguments.standalone));
  options.ignore_formatted = arguments.ignore_formatted;
  if (!arguments.release_version.empty()) {
    const auto level = engine::parse_metadata_version(arguments.release_version);
    if (!level) {
      return fail(Errc::invalid_argument,
                  fmt::format("--release-version {}: not a release from {} to {}", arguments.release_version,
                              engine::metadata_version(engine::kMetadataVersionMin)->name,
                              engine::metadata_version(engine::kMetadataVersionMax)->name));
    }
    options.metadata_version = *level;
  }
  TRY(features, parse_features(arguments.features));
  options.features = std::move(features);
  TRY(report, engine::format_storage(*proactor, options, prng, proactor->wall_now()));
  for (const std::string& path : report.left_alone) cli::print_out("{} is formatted already\n", path);
  for (const std::string& path : report.formatted) {
    cli::print_out("formatted {} for cluster {}, node {}, metadata.version {}\n", path, cluster_id,
               options.node_id.value(), engine::metadata_version(options.metadata_version)->name);
  }
  return {};
}

cli::Action define_format(CLI::App& app) {
  const auto arguments = std::make_shared<FormatArguments>();
  app.add_option("FILE", arguments->file, "server.properties; without it, the defaults");
  app.add_option("--override", arguments->overrides,
                 "key=value, outweighs the file; may be repeated");
  app.add_option("-t,--cluster-id", arguments->cluster_id,
                 "The cluster's id, the same on all of its nodes; `random` draws one, or takes that "
                 "of the directories that --ignore-formatted leaves alone")
      ->capture_default_str();
  app.add_option("--release-version", arguments->release_version,
                 "The metadata.version to begin with, as 3.9 or 4.0-IV3, and the features of that release; "
                 "without it, the newest");
  app.add_option("-f,--feature", arguments->features,
                 "name=level of another feature, as group.version=0; may be repeated");
  app.add_flag("-s,--standalone", arguments->standalone,
               "This node is the cluster's first controller; others may be added later");
  app.add_flag("-g,--ignore-formatted", arguments->ignore_formatted,
               "Leave directories alone that are formatted already");
  return [arguments] { return cli::finish(run_format(*arguments)); };
}

}  // namespace

cli::Command format_command() {
  return {.path = "format",
          .summary = "Prepare the directories of log.dirs for a new node",
          .define = define_format,
          .examples =
              "millrace format --standalone server.properties\n"
              "millrace format --cluster-id MkU3OEVBNTcwNTJENDM2Qg server.properties\n"};
}

Result<engine::FormatOptions> format_options(const Settings& settings, std::string cluster_id,
                                             bool standalone) {
  engine::FormatOptions options{.log_dirs = settings.log_dirs(),
                                .metadata_log_dir = settings.metadata_log_dir(),
                                .cluster_id = std::move(cluster_id),
                                .node_id = settings.node_id()};
  if (!standalone) return options;
  for (const Listener& listener : settings.listeners()) {
    if (!settings.is_controller_listener(listener.name)) continue;
    options.standalone = log::VotersRecord::Endpoint{
        listener.name, listener.host.empty() ? "localhost" : listener.host, listener.port};
    return options;
  }
  return fail(Errc::invalid_argument,
              "--standalone needs an address for the controller: add one of "
              "controller.listener.names to listeners, "
              "as in listeners=PLAINTEXT://:9092,CONTROLLER://:9093");
}

Result<std::string> choose_cluster_id(io::Proactor& proactor, const Settings& settings,
                                      bool ignore_formatted, Prng& prng) {
  if (!ignore_formatted) return engine::random_cluster_id(prng);
  std::vector<std::string> paths = settings.log_dirs();
  if (std::ranges::find(paths, settings.metadata_log_dir()) == paths.end())
    paths.push_back(settings.metadata_log_dir());
  TRY(present, engine::read_storage(proactor, paths));
  return present.formatted() ? present.cluster_id : engine::random_cluster_id(prng);
}

Result<bool> format_if_empty(io::Proactor& proactor, const Settings& settings, Prng& prng) {
  TRY(options, format_options(settings, engine::random_cluster_id(prng), false));
  std::vector<std::string> paths = options.log_dirs;
  paths.push_back(options.metadata_log_dir);
  for (const std::string& path : paths) {
    const auto formatted = io::read_small_file(proactor, path + "/" + std::string(engine::kMetaPropertiesFile));
    if (formatted || formatted.error() != Errc::not_found) return false;
    TRY(foreign, engine::foreign_entry(proactor, path));
    if (foreign) return false;
  }
  // As `kafka-storage format --standalone` would, where the settings have an address for the
  // controller.
  if (auto standalone = format_options(settings, options.cluster_id, true);
      standalone && !settings.is_set("controller.quorum.voters")) {
    options = std::move(*standalone);
  }
  TRY_DONE(engine::format_storage(proactor, options, prng, proactor.wall_now()));
  return true;
}

}  // namespace millrace::server
