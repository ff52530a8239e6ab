#include "server/inspect.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include "cli/output.h"
#include "engine/log/checkpoint_format.h"
#include "engine/log/format/index_entry.h"
#include "engine/log/format/record.h"
#include "engine/log/log_directory.h"
#include "engine/log/partition_files.h"
#include "engine/metadata/records.h"

namespace millrace::server {
namespace {

namespace fs = std::filesystem;
using cli::Cell;
using cli::Exit;
using cli::OutputFormat;

constexpr std::uint64_t kPayloadBytesMax = std::uint64_t{1} << 30;

std::string read_text(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// ---- verify

std::vector<fs::path> segments_of(const fs::path& directory) {
  std::vector<fs::path> segments;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const fs::path& path = entry.path();
    if (path.extension() == ".log" && base_offset_of(path.filename().string()))
      segments.push_back(path);
  }
  std::ranges::sort(segments);
  return segments;
}

bool is_partition(const fs::path& path) {
  return fs::is_directory(path) &&
         log::parse_partition_directory(path.filename().string()).has_value();
}

// What stands beside a segment and has none: somebody took the segment away.
void check_orphans(const fs::path& directory, std::vector<Problem>& problems) {
  for (const auto& entry : fs::directory_iterator(directory)) {
    const fs::path& path = entry.path();
    const bool beside = path.extension() == ".index" || path.extension() == ".timeindex" || path.extension() == ".txnindex";
    if (!beside || !base_offset_of(path.stem().string() + ".log")) continue;
    if (fs::exists(fs::path(path).replace_extension(".log"))) continue;
    problems.push_back({path.string(), 0, "its segment is missing"});
  }
}

void check_partition_files(const fs::path& directory, std::vector<Problem>& problems) {
  const fs::path metadata = directory / log::kPartitionMetadataFile;
  if (!fs::exists(metadata)) return;
  const auto decoded = log::decode_partition_metadata(read_text(metadata));
  if (!decoded) problems.push_back({metadata.string(), 0, decoded.error().message});
}

PartitionReport verify_partition(const fs::path& directory, bool deep, log::Compression& codecs,
                                 std::vector<Problem>& problems) {
  PartitionReport report{.partition = directory.filename().string()};
  const std::vector<fs::path> segments = segments_of(directory);
  for (const fs::path& path : segments) {
    const bool is_last = path == segments.back();
    const Offset base = *base_offset_of(path.filename().string());
    if (report.segments > 0 && base < report.end) {
      problems.push_back({path.string(), 0,
                          fmt::format("begins at {}, but the segment before ends at {}",
                                      base.value(), report.end.value())});
    }
    const SegmentReport segment =
        check_segment(path.string(), {.is_last = is_last, .deep = deep}, codecs, problems);
    if (report.segments == 0) report.start = segment.start.value_or(base);
    ++report.segments;
    report.batches += segment.batches;
    report.records += segment.records;
    report.bytes += segment.bytes;
    report.end = segment.end;
    report.torn_bytes = segment.torn_bytes;
  }
  check_orphans(directory, problems);
  check_partition_files(directory, problems);
  return report;
}

void check_checkpoints(const fs::path& directory, std::vector<Problem>& problems) {
  for (const std::string_view name :
       {log::kRecoveryPointFile, log::kLogStartFile, log::kHighWatermarkFile}) {
    const fs::path path = directory / name;
    if (!fs::exists(path)) continue;
    const auto decoded = log::decode_checkpoint(read_text(path));
    if (!decoded) problems.push_back({path.string(), 0, decoded.error().message});
  }
  if (!fs::exists(directory / "meta.properties")) {
    problems.push_back(
        {directory.string(), 0, "no meta.properties: this is no formatted directory of log.dirs"});
  }
}

struct VerifyCommand {
  std::string directory;
  bool deep = false;
  OutputFormat format = OutputFormat::table;

  Exit run() const {
    const auto report = verify_directory(directory, deep);
    if (!report) return cli::finish(fail(report.error()));
    cli::Table partitions({"partition", "segments", "batches", "records", "bytes", "start_offset",
                           "end_offset", "torn_bytes"});
    for (const PartitionReport& row : report->partitions) {
      partitions.add({row.partition, row.segments, row.batches, row.records, row.bytes,
                      row.start.value(), row.end.value(), row.torn_bytes});
    }
    cli::Table problems({"file", "position", "problem"});
    for (const Problem& problem : report->problems)
      problems.add({problem.file, problem.position, problem.what});
    if (format == OutputFormat::json) {
      cli::print_json({{"clean_stop", report->clean_stop},
                       {"partitions", Cell::parse(partitions.render(OutputFormat::json))},
                       {"problems", Cell::parse(problems.render(OutputFormat::json))}});
    } else {
      print_text(*report, partitions, problems);
    }
    return report->problems.empty() ? Exit::done : Exit::failed;
  }

  static void print_text(const DirectoryReport& report, const cli::Table& partitions,
                         const cli::Table& problems) {
    partitions.print(OutputFormat::table);
    cli::print_out(
        "\n{}\n",
        report.clean_stop
            ? "The broker stopped cleanly."
            : "The broker did not stop cleanly, or runs: what is torn at an end, or only in the "
              "write-ahead log, is put right when it starts.");
    if (report.problems.empty()) {
      cli::print_out("{} partitions, no problem found\n", report.partitions.size());
    } else {
      cli::print_out("\n{}", problems.render(OutputFormat::table));
    }
  }
};

cli::Action define_verify(CLI::App& app) {
  auto command = std::make_shared<VerifyCommand>();
  app.add_option("DIRECTORY", command->directory, "A directory of log.dirs, or of one partition")
      ->required();
  app.add_flag("--deep", command->deep, "Also open every batch and walk its records");
  cli::add_format_option(app, command->format);
  return [command] { return command->run(); };
}

// ---- dump

// Prints rows as they come: a file may hold more than memory does.
class RowStream {
 public:
  RowStream(std::vector<std::string> columns, OutputFormat format)
      : columns_(std::move(columns)), format_(format) {
    if (format_ == OutputFormat::json) return;
    for (const std::string& column : columns_)
      cli::print_out("{}{}", column, &column == &columns_.back() ? "\n" : "\t");
  }

  void row(const std::vector<Cell>& cells) const {
    if (format_ == OutputFormat::json) {
      Cell object = Cell::object();
      for (std::size_t i = 0; i < cells.size(); ++i) object[columns_[i]] = cells[i];
      cli::print_out("{}\n", object.dump(-1, ' ', false, Cell::error_handler_t::replace));
      return;
    }
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string text =
          cells[i].is_null()     ? "-"
          : cells[i].is_string() ? cli::printable(cells[i].get<std::string>())
                                 : cells[i].dump(-1, ' ', false, Cell::error_handler_t::replace);
      cli::print_out("{}{}", text, i + 1 == cells.size() ? "\n" : "\t");
    }
  }

 private:
  std::vector<std::string> columns_;
  OutputFormat format_;
};

Cell cell_of(const std::optional<ConstBytes>& bytes) {
  return bytes ? Cell(std::string(as_text(*bytes))) : Cell(nullptr);
}

// Whether the records of a file are the cluster's metadata: a log and the snapshots of it.
bool holds_metadata(const std::string& file) {
  const fs::path path = fs::absolute(file);
  return path.extension() == ".checkpoint" ||
         path.parent_path().filename().string().starts_with("__cluster_metadata-");
}

// A record of the metadata in words; what it is not, or is for a later release, in bytes.
Cell metadata_cell(const log::RecordBatch& batch, const log::Record& record) {
  if (batch.is_control() || !record.value) return cell_of(record.value);
  const auto decoded = engine::decode_record(*record.value);
  if (!decoded) return cell_of(record.value);
  const std::string text = engine::describe_record(*decoded);
  const Cell parsed = Cell::parse(text, nullptr, false);
  return parsed.is_discarded() ? Cell(text) : parsed;
}

struct DumpCommand {
  std::vector<std::string> files;
  bool records = false;
  OutputFormat format = OutputFormat::table;

  Exit run() const {
    for (const std::string& file : files) {
      if (const auto dumped = dump(file); !dumped) return cli::finish(dumped);
    }
    return Exit::done;
  }

  Result<void> dump(const std::string& file) const {
    const std::string ending = fs::path(file).extension().string();
    if (!fs::exists(file)) return fail(Errc::not_found, file + ": no such file");
    if (ending == ".index") return dump_offset_index(file);
    if (ending == ".timeindex") return dump_time_index(file);
    if (ending == ".txnindex") return dump_aborted(file);
    if (ending == ".log" || ending == ".checkpoint")
      return records ? dump_records(file) : dump_batches(file);
    return fail(Errc::invalid_argument,
                file + ": dump reads .log, .checkpoint, .index, .timeindex and .txnindex");
  }

  // Calls `take` for each whole batch. Errors: those of the reader, with file and position.
  template <class Take>
  static Result<void> for_each_batch(const std::string& file, Take take) {
    TRY(reader, SegmentReader::open(file));
    while (!cli::output_failed()) {
      auto next = reader.next();
      if (!next)
        return fail(next.error().code,
                    fmt::format("{} at {}: {}", file, reader.position(), next.error().message));
      if (!*next) return {};
      TRY_DONE(take(**next, reader.position()));
    }
    return {};
  }

  Result<void> dump_batches(const std::string& file) const {
    const RowStream rows({"position", "base_offset", "last_offset", "count", "size", "leader_epoch",
                          "codec", "timestamp_type", "max_timestamp", "producer_id",
                          "producer_epoch", "base_sequence", "transactional", "control", "crc"},
                         format);
    return for_each_batch(
        file, [&](const log::RecordBatch& batch, std::uint64_t position) -> Result<void> {
          const auto codec = batch.codec();
          rows.row({position, batch.base_offset().value(), batch.last_offset().value(),
                    batch.record_count(), batch.size(), batch.leader_epoch().value(),
                    codec ? Cell(std::string(log::to_string(*codec))) : Cell(nullptr),
                    batch.timestamp_type() == log::TimestampType::create_time ? "CreateTime"
                                                                              : "LogAppendTime",
                    batch.max_timestamp(), batch.producer_id().value(), batch.producer_epoch(),
                    batch.base_sequence(), batch.is_transactional(), batch.is_control(),
                    batch.crc_valid() ? "ok" : "bad"});
          return {};
        });
  }

  Result<void> dump_records(const std::string& file) const {
    const RowStream rows({"offset", "timestamp", "key", "value", "headers"}, format);
    log::Compression codecs;
    std::vector<std::byte> storage;
    const bool is_metadata = holds_metadata(file);
    return for_each_batch(file, [&](const log::RecordBatch& batch, std::uint64_t) -> Result<void> {
      TRY(payload, log::open_payload(batch, codecs, kPayloadBytesMax, storage));
      for (log::RecordWalk walk(batch, payload); !walk.at_end();) {
        TRY(record, walk.next());
        Cell headers = Cell::array();
        for (log::HeaderWalk header_walk(record); !header_walk.at_end();) {
          const log::RecordHeader header = header_walk.next();
          headers.push_back({{"name", std::string(header.key)}, {"value", cell_of(header.value)}});
        }
        const Cell value = is_metadata ? metadata_cell(batch, record) : cell_of(record.value);
        rows.row({record.offset.value(), record.timestamp, cell_of(record.key), value, headers});
      }
      return {};
    });
  }

  Result<void> dump_offset_index(const std::string& file) const {
    const RowStream rows({"offset", "position"}, format);
    const std::string text = read_text(file);
    const std::int64_t base =
        base_offset_of(fs::path(file).filename().string()).value_or(Offset(0)).value();
    for (std::size_t at = 0; at + log::OffsetIndexEntry::kBytes <= text.size();
         at += log::OffsetIndexEntry::kBytes) {
      const auto entry = log::OffsetIndexEntry::load(as_bytes(text).data() + at);
      if (at > 0 && entry == log::OffsetIndexEntry{})
        break;  // from here on the file is only set aside
      rows.row({base + entry.relative_offset, entry.position});
    }
    return {};
  }

  Result<void> dump_time_index(const std::string& file) const {
    const RowStream rows({"timestamp", "offset"}, format);
    const std::string text = read_text(file);
    const std::int64_t base =
        base_offset_of(fs::path(file).filename().string()).value_or(Offset(0)).value();
    for (std::size_t at = 0; at + log::TimeIndexEntry::kBytes <= text.size();
         at += log::TimeIndexEntry::kBytes) {
      const auto entry = log::TimeIndexEntry::load(as_bytes(text).data() + at);
      if (at > 0 && entry == log::TimeIndexEntry{}) break;
      rows.row({entry.timestamp, base + entry.relative_offset});
    }
    return {};
  }

  Result<void> dump_aborted(const std::string& file) const {
    const RowStream rows({"producer_id", "first_offset", "last_offset", "last_stable_offset"},
                         format);
    const std::string text = read_text(file);
    for (std::size_t at = 0; at + log::AbortedTransaction::kBytes <= text.size();
         at += log::AbortedTransaction::kBytes) {
      TRY(entry, log::AbortedTransaction::load(
                     as_bytes(text).subspan(at, log::AbortedTransaction::kBytes)));
      rows.row({entry.producer_id.value(), entry.first_offset.value(), entry.last_offset.value(),
                entry.last_stable_offset.value()});
    }
    return {};
  }
};

cli::Action define_dump(CLI::App& app) {
  auto command = std::make_shared<DumpCommand>();
  app.add_option("FILE", command->files,
                 ".log, .checkpoint (metadata snapshots), .index, .timeindex or .txnindex")
      ->required();
  app.add_flag("-r,--records", command->records, "Each record instead of each batch");
  cli::add_format_option(app, command->format);
  return [command] { return command->run(); };
}

}  // namespace

Result<DirectoryReport> verify_directory(const std::string& path, bool deep) {
  std::error_code error;
  const fs::path directory = fs::canonical(path, error);
  if (error) return fail(error_from_errno(error.value(), path));
  if (!fs::is_directory(directory))
    return fail(Errc::invalid_argument, path + ": no directory; to see one file use `log dump`");
  DirectoryReport report;
  log::Compression codecs;
  if (is_partition(directory)) {
    report.clean_stop = fs::exists(directory.parent_path() / log::kCleanStopFile);
    report.partitions.push_back(verify_partition(directory, deep, codecs, report.problems));
    return report;
  }
  report.clean_stop = fs::exists(directory / log::kCleanStopFile);
  check_checkpoints(directory, report.problems);
  std::vector<fs::path> partitions;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (is_partition(entry.path())) partitions.push_back(entry.path());
  }
  std::ranges::sort(partitions);
  for (const fs::path& partition : partitions) {
    report.partitions.push_back(verify_partition(partition, deep, codecs, report.problems));
  }
  return report;
}

std::span<const cli::Command> log_commands() {
  static const std::array kCommands = {
      cli::Command{"log", "Files of a stopped broker: dump, verify."},
      cli::Command{"log dump",
                   "Print what a segment, a metadata snapshot or an index holds, as tab-separated "
                   "lines or JSON.",
                   define_dump,
                   "  millrace log dump data/orders-0/00000000000000000000.log\n"
                   "  millrace log dump --records --format json data/orders-0/*.log"},
      cli::Command{"log verify",
                   "Check every batch and index of a directory of log.dirs; exit code 1 when "
                   "something is wrong.",
                   define_verify, "  millrace log verify --deep data"},
  };
  return kCommands;
}

}  // namespace millrace::server
