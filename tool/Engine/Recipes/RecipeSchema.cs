using System.Text;

namespace Bnb.Engine.Recipes;

/// <summary>The JSON schema of recipe files, which comes with the tool: <see cref="Recipe.SchemaId"/> is a name, no address.</summary>
internal static class RecipeSchema
{
    private const string Name = "Bnb.Engine.Recipes.recipe-file.schema.json";

    /// <summary>Its text.</summary>
    public static string Text()
    {
        using Stream stream = typeof(RecipeSchema).Assembly.GetManifestResourceStream(Name)
            ?? throw new InvalidOperationException("the schema of recipes is not in the program");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
