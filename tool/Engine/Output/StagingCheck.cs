using Bnb.Engine.Plans;
using Bnb.Formats.IO;

namespace Bnb.Engine.Output;

/// <summary>What may be in a staging folder, whose plan it is, and what of it may be deleted.</summary>
internal static class StagingCheck
{
    /// <summary>Refuses a folder that is not ours, or of another plan; empties it when it shall be begun anew.</summary>
    /// <param name="state">Of the source, <see cref="SourceRecord.StateOf"/>.</param>
    public static void Run(string folder, PlanRecord plan, string state, bool restart)
    {
        // Listed before journals are looked for: another worker that begins between the two adds its journal first of all.
        bool fresh = Entries(folder).All(static name => StagingNames.IsTemp(name) || name == Posix.LockFileName);
        JournalFolder journals = JournalFolder.Read(folder);
        if (journals.Names.Count == 0)
        {
            if (!fresh) throw StagingErrors.Foreign(folder);
            return;
        }

        PlanRecord? earlier = PlanIn(folder);
        if (restart)
        {
            Restart(folder, journals, earlier, plan);
            return;
        }

        if ((earlier is not null && earlier.Hash != plan.Hash) || journals.Begun.Any(run => run.Plan != plan.Hash))
            throw StagingErrors.OtherPlan(folder, earlier, plan, journals);
        if (journals.Strange.Count > 0) throw StagingErrors.OtherJournal(folder, journals);
        if (journals.Begun.Any(run => run.State != state)) throw StagingErrors.OtherSource(folder);
        RefuseStrangers(folder, plan);
    }

    /// <summary>The plan that a staging folder is of, null when it has none that can be read.</summary>
    public static PlanRecord? PlanIn(string folder) =>
        SmallFile.TryRead(Path.Combine(folder, StagingNames.Plan)) is { } text ? PlanRecord.Parse(text) : null;

    /// <summary>A file of somebody else would become a part of the output; deleting it is not for us.</summary>
    public static void RefuseStrangers(string folder, PlanRecord plan)
    {
        HashSet<string> known = NamesOf(plan);
        List<string> strangers = [.. FilesIn(folder).Where(name => !StagingNames.IsOwn(name) && !known.Contains(name))];
        if (strangers.Count > 0) throw StagingErrors.Foreign(folder, strangers);
    }

    /// <summary>Temp files, of any process: only for who has the folder to itself.</summary>
    public static void DeleteTemps(string folder)
    {
        foreach (string name in Entries(folder).Where(StagingNames.IsTemp)) File.Delete(Path.Combine(folder, name));
    }

    /// <summary>What a run keeps about itself, the journals last.</summary>
    public static void DeleteOwn(string folder)
    {
        List<string> own = [.. Entries(folder).Where(StagingNames.IsOwn)];
        foreach (string name in own.Where(static name => !StagingNames.IsJournal(name))) File.Delete(Path.Combine(folder, name));
        foreach (string name in own.Where(StagingNames.IsJournal)) File.Delete(Path.Combine(folder, name));
    }

    /// <summary>Everything a run of the plan can have made, and the folder when nothing else is left.</summary>
    public static void DeleteOurs(string folder, PlanRecord plan)
    {
        DeleteNames(folder, NamesOf(plan));
        DeleteOwn(folder);
        if (!Entries(folder).Any()) Directory.Delete(folder);
    }

    private static void Restart(string folder, JournalFolder journals, PlanRecord? earlier, PlanRecord plan)
    {
        HashSet<string> ours = [.. NamesOf(plan), .. journals.Shards.Keys.Concat(journals.Unhashed).Where(FileRecord.IsSafeName)];
        if (earlier is not null) ours.UnionWith(NamesOf(earlier));
        List<string> strangers = [.. FilesIn(folder).Where(name => !StagingNames.IsOwn(name) && !ours.Contains(name))];
        if (strangers.Count > 0) throw StagingErrors.Foreign(folder, strangers);
        DeleteNames(folder, ours);
        DeleteOwn(folder);
    }

    private static void DeleteNames(string folder, IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            string path = Path.Combine(folder, name);
            if (File.Exists(path)) File.Delete(path);
        }

        // Deepest first; a folder with anything left in it stays.
        foreach (string inner in Directory.EnumerateDirectories(folder, "*", SearchOption.AllDirectories).OrderByDescending(path => path.Length).ToList())
        {
            if (!Directory.EnumerateFileSystemEntries(inner).Any()) Directory.Delete(inner);
        }
    }

    private static HashSet<string> NamesOf(PlanRecord plan)
    {
        return [.. plan.Shards, .. plan.SmallFiles.Select(file => file.Name), .. plan.Indexes, OutputManifest.FileName];
    }

    private static IEnumerable<string> Entries(string folder) =>
        Directory.EnumerateFileSystemEntries(folder).Select(Path.GetFileName).OfType<string>();

    /// <summary>Files at any depth, and links, by their name below the folder.</summary>
    private static IEnumerable<string> FilesIn(string folder) => Directory
        .EnumerateFileSystemEntries(folder, "*", SearchOption.AllDirectories)
        .Where(path => !Directory.Exists(path) || new DirectoryInfo(path).LinkTarget is not null)
        .Select(path => Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/'));
}
