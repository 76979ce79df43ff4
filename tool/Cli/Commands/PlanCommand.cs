using System.CommandLine;
using Bnb.Cli.Options;
using Bnb.Cli.Screens;
using Bnb.Engine.Planning;
using Bnb.Engine.Quantizing;
using Bnb.Engine.Reports;
using Bnb.Engine.Text;

namespace Bnb.Cli.Commands;

/// <summary>The words of <c>dotnet bnb plan</c>; <see cref="PlanRun"/> does the work.</summary>
internal static class PlanCommand
{
    public static Command Create(CommandHost host)
    {
        var source = new Argument<string>("SOURCE") { Description = "Checkpoint folder, diffusers pipeline or one .safetensors file, as quantize takes it", CustomParser = Choice.FilePath };
        var output = new Option<string?>("--output", "-o") { Description = "Recipe file to write, for quantize --config (default: none)", HelpName = "FILE", CustomParser = Choice.FilePath };
        var targetSize = new Option<long>("--target-size") { Description = "Largest weight files, headers included, for example 5GiB (no default)", HelpName = "SIZE", CustomParser = Choice.Size };
        var targetBits = new Option<double>("--target-bits") { Description = "Most bits of all tensors over all parameters, for example 4.5 (no default)", HelpName = "X", CustomParser = Choice.PositiveNumber };
        var maxError = new Option<double>("--max-error") { Description = "Largest relative RMSE over the weights that can be quantized, 0.08 is 8 % (no default)", HelpName = "X", CustomParser = Choice.RelativeError };
        var plot = new Option<string?>("--plot") { Description = "SVG file to write with error against size, beside the recipe without overrides (default: none)", HelpName = "FILE", CustomParser = Choice.FilePath };
        var recipe = new RecipeOptions(weighsErrors: true);
        Option<string[]> overrides = OverrideOptions.Create();
        Option<string[]> include = CommonOptions.Pattern("--include", "As in quantize; repeatable (default: none)");
        Option<string[]> exclude = CommonOptions.Pattern("--exclude", "As in quantize; repeatable (default: none)");
        var load = new LoadOptions();
        var sources = new SourceOptions();
        Option<int> threads = CommonOptions.Threads();
        var command = new Command("plan", "Choose a form for every tensor: the least error for a size, or the smallest size for an error") { source, output, targetSize, targetBits, maxError, plot };
        foreach (Option option in recipe.All) command.Add(option);
        foreach (Option option in (Option[])[overrides, include, exclude, load.Experts, load.LoadsIn, sources.Components, sources.Variant, sources.DType, threads]) command.Add(option);
        command.Validators.Add(result =>
        {
            List<string> goals = [.. ((Option[])[targetSize, targetBits, maxError]).Where(option => result.GetResult(option) is { Implicit: false }).Select(option => option.Name)];
            if (goals.Count == 0) result.AddError("plan needs a goal: --target-size, --target-bits or --max-error");
            if (goals.Count > 1) result.AddError($"plan takes one goal, not {string.Join(" and ", goals)}: keep the one that must hold");
            recipe.Validate(result, null);
            OverrideOptions.Validate(result, overrides);
        });
        host.Attach(command, (parsed, context) =>
        {
            var defaults = new QuantizeRequest { SourcePath = context.LocateWhole(parsed.GetRequiredValue(source)), OutputPath = null, DryRun = true };
            var request = new PlanRequest
            {
                Quantize = defaults with
                {
                    Recipe = recipe.Recipe(parsed),
                    ImportancePath = recipe.ImportancePath(parsed),
                    Overrides = OverrideOptions.Of(parsed, overrides),
                    Components = parsed.GetValue(sources.Components) ?? [],
                    Variant = parsed.GetValue(sources.Variant),
                    CastTo = parsed.GetValue(sources.DType),
                    Patterns = CommonOptions.PatternsInOrder(parsed),
                    Experts = load.ExpertsOf(parsed),
                    LoadsIn = load.LoadsInOf(parsed),
                    Threads = parsed.ThreadsOf(threads),
                },
                TargetBytes = parsed.GetResult(targetSize) is null ? null : parsed.GetValue(targetSize),
                TargetBits = parsed.GetResult(targetBits) is null ? null : parsed.GetValue(targetBits),
                MaxError = parsed.GetResult(maxError) is null ? null : parsed.GetValue(maxError),
            };
            string? file = parsed.GetValue(output), picture = parsed.GetValue(plot);
            if (file is not null) ReportFile.CheckPlace(file);
            if (picture is not null) ReportFile.CheckPlace(picture);
            PlanSummary summary = PlanRun.Execute(request, context.Events, context.Cancellation);
            Write(file, PlanJson.Recipe);
            Write(picture, PlanPlot.Of);
            if (context.Json) context.Terminal.Out.Write(PlanJson.Of(summary, file));
            else if (context.Verbosity != Verbosity.Quiet) PlanScreen.Write(summary, file, context.Terminal);

            void Write(string? path, Func<PlanSummary, string> content)
            {
                if (path is null) return;
                ReportFile.Write(path, text => text.Write(content(summary)));
                context.HasWritten(path);
            }
        });
        return command;
    }
}
